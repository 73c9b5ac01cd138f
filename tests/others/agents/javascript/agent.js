// An agent in JavaScript, served by the A2A SDK of its language with express.
// What it does is in the message: a line `javascript: fail`, `javascript: hang` or `javascript: ask`;
// else it says what it heard, in two chunks.

import { randomUUID } from "node:crypto";
import express from "express";
import { Role, TaskState } from "@a2a-js/sdk";
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from "@a2a-js/sdk/server";
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from "@a2a-js/sdk/server/express";

const port = Number(process.argv[2]);
const at = (protocolBinding, path) => ({
  url: `http://127.0.0.1:${port}${path}`,
  protocolBinding,
  protocolVersion: "1.0",
  tenant: "",
});
const modes = ["text/plain"];
const skill = { id: "echo", name: "Echo", description: "Says what it heard.", tags: ["echo"] };
const card = {
  name: "JavaScript",
  description: "Says what it heard.",
  version: "1.0.0",
  supportedInterfaces: [at("JSONRPC", "/rpc"), at("HTTP+JSON", "/rest")],
  capabilities: { streaming: true, pushNotifications: false, extensions: [] },
  defaultInputModes: modes,
  defaultOutputModes: modes,
  securitySchemes: {},
  securityRequirements: [],
  signatures: [],
  skills: [{ ...skill, examples: [], inputModes: [], outputModes: [], securityRequirements: [] }],
};

const textOf = ({ parts }) => parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join("\n");
const textPart = (value) => ({ content: { $case: "text", value }, filename: "", mediaType: "text/plain" });

function teller(bus, taskId, contextId) {
  const says = (text) => ({
    messageId: randomUUID(),
    contextId,
    taskId,
    role: Role.ROLE_AGENT,
    parts: [textPart(text)],
    extensions: [],
    referenceTaskIds: [],
  });
  const status = (state, text) => ({
    state,
    message: text ? says(text) : undefined,
    timestamp: new Date().toISOString(),
  });
  return {
    begun: (message) =>
      bus.publish(
        AgentEvent.task({
          id: taskId,
          contextId,
          status: status(TaskState.TASK_STATE_SUBMITTED),
          artifacts: [],
          history: [message],
        }),
      ),
    goesOn: (task) => bus.publish(AgentEvent.task(task)),
    is: (state, text) => bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state, text) })),
    chunk: (text, append, lastChunk) => {
      const artifact = { artifactId: "answer", name: "answer", description: "", parts: [textPart(text)], extensions: [] };
      bus.publish(AgentEvent.artifactUpdate({ taskId, contextId, append, lastChunk, artifact }));
    },
  };
}

class Echo {
  contexts = new Map();
  canceled = new Set();

  async execute({ taskId, contextId, userMessage, task }, bus) {
    const tell = teller(bus, taskId, contextId);
    const heard = textOf(userMessage);
    this.contexts.set(taskId, contextId);
    if (task) tell.goesOn(task);
    else tell.begun(userMessage);
    tell.is(TaskState.TASK_STATE_WORKING, "listening");
    if (heard.includes("javascript: fail")) throw new Error("out of order");
    if (heard.includes("javascript: ask")) {
      tell.is(TaskState.TASK_STATE_INPUT_REQUIRED, "In which language?");
      return;
    }
    while (heard.includes("javascript: hang")) {
      if (this.canceled.has(taskId)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    tell.chunk("JavaScript heard: ", false, false);
    tell.chunk(heard.split("\n")[0], true, true);
    tell.is(TaskState.TASK_STATE_COMPLETED);
  }

  async cancelTask(taskId, bus) {
    this.canceled.add(taskId);
    teller(bus, taskId, this.contexts.get(taskId)).is(TaskState.TASK_STATE_CANCELED);
  }
}

const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Echo());
const userBuilder = UserBuilder.noAuthentication;
const app = express();
app.use("/.well-known/agent-card.json", agentCardHandler({ agentCardProvider: requestHandler }));
app.use("/rpc", jsonRpcHandler({ requestHandler, userBuilder }));
app.use("/rest", restHandler({ requestHandler, userBuilder }));
app.listen(port, "127.0.0.1");
