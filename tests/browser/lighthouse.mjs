// Lighthouse's accessibility score of some pages, and what each page lost points for, as JSON.
const { folder, chromium, headers, pages } = JSON.parse(process.argv[2]);
const { default: lighthouse } = await import(`${folder}/node_modules/lighthouse/core/index.js`);
const { launch } = await import(`${folder}/node_modules/chrome-launcher/dist/index.js`);

const chrome = await launch({ chromePath: chromium, chromeFlags: ["--headless=new", "--no-sandbox"] });
const found = {};
try {
  for (const page of pages) {
    const options = { port: chrome.port, onlyCategories: ["accessibility"], extraHeaders: headers, logLevel: "error" };
    const { lhr } = await lighthouse(page, options);
    const lost = Object.values(lhr.audits).filter((audit) => audit.scoreDisplayMode === "binary" && audit.score < 1);
    found[page] = { error: lhr.runtimeError?.code, score: Math.round(100 * lhr.categories.accessibility.score),
      lost: lost.map((audit) => [audit.id, audit.details?.items?.[0]?.node?.snippet]) };
  }
} finally {
  await chrome.kill();
}
console.log(JSON.stringify(found));
