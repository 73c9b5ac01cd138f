"""The plans of these tests, as the files a coordinator reads."""

PLANS = {
    "gather": """\
name: gather
description: Asks two agents and puts their answers side by side.
stages:
  ask:
    fan_out:
      to: {agents: [ada, bob]}
    merge: concat
""",
    "alone": """\
name: alone
description: Asks one agent.
stages:
  ask:
    fan_out:
      to: {agents: [eve]}
    merge: concat
""",
    "lenient": """\
name: lenient
description: One answer of three is enough.
stages:
  ask:
    fan_out:
      to: {agents: [ada, bob, eve]}
    barrier: {need: 1}
    merge: concat
""",
    "strict": """\
name: strict
description: Every answer counts.
stages:
  ask:
    fan_out:
      to: {agents: [ada, bob, eve]}
    merge: concat
""",
    "review": """\
name: review
description: Merges findings into data and text.
input_modes: [text/x-python]
stages:
  review:
    fan_out:
      to: {agents: [ada, bob]}
    expect: findings
    merge: findings
""",
    "glance": """\
name: glance
description: One reviewer of two is enough.
stages:
  review:
    fan_out:
      to: {agents: [ada, bob]}
    barrier: {need: 1}
    expect: findings
    merge: findings
""",
    "table": """\
name: table
description: One document that holds each answer under its agent's name.
stages:
  ask:
    fan_out:
      to: {agents: [ada, bob]}
    merge: by_agent
""",
    "growing": """\
name: growing
description: One answer after the other, as soon as all before it are there.
stages:
  ask:
    fan_out:
      to: {agents: [ada, bob, eve]}
    merge: {strategy: concat, progressive: true}
""",
    "hand-on": """\
name: hand-on
description: Hands everything on to one agent.
stages:
  hand-over:
    fan_out:
      to: {agents: [eve]}
""",
}
