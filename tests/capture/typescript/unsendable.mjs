// Votes that JSON cannot hold, between good ones: what is sent, what is counted, and what a caller who waits is told.
import { FeedbackClient } from "../../../clients/typescript/index.js";

const sent = [];
let requests = 0;
const fetch = async (_, { body }) => {
  requests++;
  sent.push(...JSON.parse(body).items.map((item) => item.number));
  return { status: 201, text: async () => '{"results": []}' };
};
const client = new FeedbackClient({ url: "http://service.example", key: "fbk_x", fetch, flushAfter: 1 });
const itself = { number: 2 };
itself.metadata = itself;
const taken = [{ number: 1 }, itself, { number: 3, metadata: 10n }, { number: 4 }].map((vote) => client.submit(vote));
await client.flush();
const told = await client.send(itself).then(() => "sent", (error) => error.name);
console.log(JSON.stringify({ taken, sent, requests, told, metrics: client.metrics }));
