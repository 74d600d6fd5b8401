// A vote put at whatever moment another's delivery ends; prints the moments at which it was not sent.
import { FeedbackClient } from "../../../clients/typescript/index.js";

const ticking = setInterval(() => {}, 1000); // the client's own timers keep no process alive
const lost = [];
for (let moment = 0; moment < 100; moment++) {
  let answer;
  const answered = new Promise((done) => (answer = done));
  const sent = [];
  const fetch = async (_, { body }) => {
    sent.push(...JSON.parse(body).items);
    setTimeout(answer, 0);
    await answered;
    return { status: 201, text: async () => '{"results": []}' };
  };
  const client = new FeedbackClient({ url: "http://service.example", key: "fbk_x", fetch, flushAfter: 1 });
  client.submit({ number: 1 });
  await answered;
  for (let turn = 0; turn < moment; turn++) await null;
  client.submit({ number: 2 });
  for (let n = 0; n < 100 && sent.length < 2; n++) await new Promise((done) => setTimeout(done, 5));
  if (sent.length < 2) lost.push(moment);
}
clearInterval(ticking);
console.log(JSON.stringify({ lost }));
