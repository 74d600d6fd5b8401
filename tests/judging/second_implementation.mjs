// Serves fixtures (a JSON array on standard input) with aimock on loopback until input closes; prints the base URL.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/`);
const { LLMock } = await import(pathToFileURL(require.resolve("@copilotkit/aimock")));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const fixtures = JSON.parse((await lines.next()).value);
const mock = new LLMock({ port: 0, host: "127.0.0.1" });
for (const fixture of fixtures) mock.addFixture(fixture);
await mock.start();
console.log(`${mock.url}/v1`);
await lines.next();
await mock.stop();
