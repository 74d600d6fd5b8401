// Every verb of the TypeScript client, against a real service; prints what happened as JSON.
import { DeliveryError, FeedbackClient, editDistance, mintToken } from "../../../clients/typescript/index.js";

const { url, key, nowhere } = JSON.parse(process.argv[2]);
const said = {};
const feedback = new FeedbackClient({ url, key, flushAfter: 10 });

const id = await feedback.send({ query: "q", response: "r", rating: 1, comment: "good" });
said.read = (await feedback.get(id)).rating;
await feedback.change(id, { thumb: false });
const changed = await feedback.get(id, { history: true });
said.changed = [changed.thumb, changed.comment, changed.history.length];
await feedback.withdraw(id);
said.gone = await feedback.get(id).catch((error) => [error instanceof DeliveryError, error.status, error.detail]);
said.refused = await feedback.send({ query: "q", response: "r", rating: 7 }).catch((error) => [error.status, error.field]);
said.many = (await feedback.sendMany([{ query: "a", response: "b", rating: 1 }, { nonsense: 1 }])).map((one) => one.status);
said.twice = (await Promise.all([1, 2].map(() => feedback.send({ query: "x", response: "y", rating: 1, user_id: "u" }, "same-key")))).map(String);
said.logged = await feedback.logNow({ prompt: "p", output: "o", content_type: "qa_answer", content_id: "42", tags: ["code-review"] });
await feedback.send({ content_type: "qa_answer", content_id: "42", rating: true, user_id: "ada" });
said.state = (await feedback.state("qa_answer", "42", { userId: "ada", snapshot: "o" })).map((one) => one.interaction_id === said.logged && one.thumb);
said.alike = await feedback.lookAlikes(["Code Review"]);
said.queued = [
  feedback.log({ prompt: "background", output: "answer", request_id: "r-1" }),
  feedback.signal("r-1", "copy", { userId: "ada" }),
  feedback.edited("r-1", "the answer", "the better answer", "ada"),
  feedback.submit({ query: "q2", response: "r2", rating: -1 }),
  feedback.submit({ nonsense: true }),
];
said.flushed = await feedback.flush();
said.metrics = feedback.metrics;

const origin = "https://app.example";
const token = await mintToken(key, "qa_answer", "43", origin, { userId: "ada" });
const page = (input, init) => fetch(input, { ...init, headers: { ...init.headers, Origin: origin } });
let asked = 0;
const browser = new FeedbackClient({ url, token: async () => (asked++, token), session: "a-browser-of-this-test", fetch: page });
said.browser = typeof (await browser.send({ content_type: "qa_answer", content_id: "43", rating: false }));
said.asked = asked;
said.elsewhere = await browser.send({ content_type: "qa_answer", content_id: "44", rating: false }).catch((error) => error.status);

const dead = new FeedbackClient({ url: nowhere, key, flushAfter: 1 });
const started = performance.now();
for (let n = 0; n < 1000; n++) dead.log({ prompt: "p", output: "o" });
said.microseconds = Math.round(performance.now() - started);
said.unreached = await dead.get("x").catch((error) => [error.status, error.worthRepeating]);
await dead.close(50);
said.dropped = dead.metrics.dropped > 0;
said.distance = [editDistance("abcd", "bcde"), editDistance("", ""), editDistance("gleich", "gleich"), editDistance("the answer", "the better answer")];
await feedback.close();
console.log(JSON.stringify(said));
