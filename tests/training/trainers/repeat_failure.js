// A model that has learned nothing: it gives every prompt the answer people rejected.
const fs = require('fs');
const answers = new Map(JSON.parse(fs.readFileSync(process.env.REJECTED_ANSWERS, 'utf8')));
module.exports = class {
  id() { return 'repeat-failure'; }
  async callApi(prompt) { return { output: answers.get(prompt) ?? '' }; }
};
