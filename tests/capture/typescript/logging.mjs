// Model calls through `loggingFetch`, against servers on loopback; prints what the application got.
import { FeedbackClient } from "../../../clients/typescript/index.js";
import { loggingFetch } from "../../../clients/typescript/logging.js";

const { url, key, models } = JSON.parse(process.argv[2]);
const feedback = new FeedbackClient({ url, key, flushAfter: 10 });
const logged = loggingFetch(feedback, (body) => ({ prompt_version: "v7", request_id: body.metadata?.name }));
const got = {};
const post = (path, body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const messages = [{ role: "user", content: "hello" }];
const chat = { model: "m", messages, user: "ada" };

const whole = await logged(`${models}/v1/chat/completions`, post("", { ...chat, metadata: { name: "whole" } }));
got.whole = (await whole.json()).choices[0].message.content;
const stream = await logged(`${models}/v1/chat/completions`, post("", { ...chat, stream: true, metadata: { name: "stream" } }));
got.stream = (await stream.text()).includes("data: ");
const left = await logged(`${models}/v1/chat/completions`, post("", { ...chat, stream: true, metadata: { name: "left" } }));
const reader = left.body.getReader();
await reader.read();
await reader.cancel();
const failed = await logged(`${models}/v1/nowhere`, post("", { ...chat, metadata: { name: "failed" } }));
got.failed = failed.status;
await failed.text();
got.unreached = await logged("http://127.0.0.1:9/chat", post("", { ...chat, metadata: { name: "unreached" } })).then(() => "answered", (error) => error.name);
const other = await logged(`${models}/v1/nowhere`);
got.other = other.status;
await feedback.close();
console.log(JSON.stringify(got));
