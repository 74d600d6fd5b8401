// A link such as /console#fbk_… opens the console with its key: what stands behind # is sent to no server and logged
// nowhere. It is taken out of the address at once.
const keys = location.hash.slice(1);
const field = document.querySelector(".login input[name=key]");
if (/^fbk_[\w-]+(,fbk_[\w-]+)*$/.test(keys)) {
  history.replaceState(null, "", location.pathname + location.search);
  if (field && !document.querySelector(".problem")) {
    field.value = keys;
    field.form.requestSubmit();
  }
}
for (const choice of document.querySelectorAll("select[data-submit]"))
  choice.addEventListener("change", () => choice.form.requestSubmit());
