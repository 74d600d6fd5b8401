// The real SDKs with `loggingFetch`; CLIENT is filled in, so that they are found where they were installed.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { FeedbackClient } from "CLIENT/index.js";
import { loggingFetch } from "CLIENT/logging.js";

const { url, key, models } = JSON.parse(process.argv[2]);
const feedback = new FeedbackClient({ url, key, flushAfter: 10 });
let number = 0;
const logged = loggingFetch(feedback, () => ({ request_id: `call-${number++}` }));
const openai = new OpenAI({ apiKey: "x", baseURL: `${models}/v1`, fetch: logged });
const anthropic = new Anthropic({ apiKey: "x", baseURL: models, fetch: logged });
const messages = [{ role: "user", content: "hello" }];
const got = {};

got.chat = (await openai.chat.completions.create({ model: "m", messages })).choices[0].message.content;
got.stream = "";
for await (const chunk of await openai.chat.completions.create({ model: "m", messages, stream: true }))
  got.stream += chunk.choices[0]?.delta?.content ?? "";
got.response = (await openai.responses.create({ model: "m", input: "hello" })).output_text;
got.message = (await anthropic.messages.create({ model: "m", max_tokens: 9, messages })).content[0].text;
got.messages = await (await anthropic.messages.stream({ model: "m", max_tokens: 9, messages })).finalText();
await feedback.close();
console.log(JSON.stringify(got));
