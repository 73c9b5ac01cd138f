// An agent in JavaScript, served by the SDK of its language with express.
// What it does is in the message: a line `javascript: fail`, `javascript: hang` or `javascript: ask`;
// else it says what it heard, in chunks.

import { randomUUID } from "node:crypto";
import express from "express";
import { Role, TaskState } from "@a2a-js/sdk";
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from "@a2a-js/sdk/server";
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from "@a2a-js/sdk/server/express";

const port = Number(process.argv[2]);
const url = `http://127.0.0.1:${port}`;
const on = (protocolBinding, path) => ({ url: url + path, protocolBinding, protocolVersion: "1.0", tenant: "" });

const card = {
  name: "JavaScript",
  description: "Says what it heard.",
  version: "1.0.0",
  supportedInterfaces: [on("JSONRPC", "/rpc"), on("HTTP+JSON", "/rest")],
  capabilities: { streaming: true, pushNotifications: false, extensions: [] },
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain"],
  securitySchemes: {},
  securityRequirements: [],
  signatures: [],
  skills: [
    {
      id: "echo",
      name: "Echo",
      description: "Says what it heard.",
      tags: ["echo"],
      examples: [],
      inputModes: [],
      outputModes: [],
      securityRequirements: [],
    },
  ],
};

const textOf = (message) =>
  message.parts.map((part) => (part.content?.$case === "text" ? part.content.value : "")).join("\n");
const textPart = (value) => ({
  content: { $case: "text", value },
  metadata: undefined,
  filename: "",
  mediaType: "text/plain",
});

class Echo {
  canceled = new Set();

  async execute(request, bus) {
    const { taskId, contextId, userMessage, task } = request;
    const asked = textOf(userMessage);
    const says = (text) => ({
      messageId: randomUUID(),
      contextId,
      taskId,
      role: Role.ROLE_AGENT,
      parts: [textPart(text)],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    });
    const status = (state, text) => ({
      state,
      message: text ? says(text) : undefined,
      timestamp: new Date().toISOString(),
    });
    const tell = (state, text) =>
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state, text), metadata: undefined }));
    const send = (text, append, lastChunk) =>
      bus.publish(
        AgentEvent.artifactUpdate({
          taskId,
          contextId,
          append,
          lastChunk,
          metadata: undefined,
          artifact: {
            artifactId: "answer",
            name: "answer",
            description: "",
            parts: [textPart(text)],
            metadata: undefined,
            extensions: [],
          },
        }),
      );

    bus.publish(
      AgentEvent.task(
        task ?? {
          id: taskId,
          contextId,
          status: status(TaskState.TASK_STATE_SUBMITTED),
          artifacts: [],
          history: [userMessage],
          metadata: undefined,
        },
      ),
    );
    tell(TaskState.TASK_STATE_WORKING, "listening");
    if (asked.includes("javascript: fail")) throw new Error("out of order");
    if (asked.includes("javascript: ask") && !task) {
      tell(TaskState.TASK_STATE_INPUT_REQUIRED, "In which language?");
      return;
    }
    while (asked.includes("javascript: hang") && !this.canceled.has(taskId)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (this.canceled.delete(taskId)) {
      tell(TaskState.TASK_STATE_CANCELED);
      return;
    }
    send("JavaScript heard: ", false, false);
    send(asked.split("\n")[0], true, true);
    tell(TaskState.TASK_STATE_COMPLETED);
  }

  async cancelTask(taskId) {
    this.canceled.add(taskId);
  }
}

const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Echo());
const userBuilder = UserBuilder.noAuthentication;
const app = express();
app.use("/.well-known/agent-card.json", agentCardHandler({ agentCardProvider: requestHandler }));
app.use("/rpc", jsonRpcHandler({ requestHandler, userBuilder }));
app.use("/rest", restHandler({ requestHandler, userBuilder }));
app.listen(port, "127.0.0.1");
