// A link such as /console#fbk_… opens the console with its key: what stands behind # is sent to no server and logged
// nowhere. It is taken out of the address at once.
function open() {
  const keys = location.hash.slice(1);
  if (!/^fbk_[\w-]+(,fbk_[\w-]+)*$/.test(keys)) return;
  history.replaceState(null, "", location.pathname + location.search);
  const field = document.querySelector(".login input[name=key]");
  if (!field) return;
  field.value = keys;
  field.form.requestSubmit();
}
addEventListener("hashchange", open);
open();
for (const choice of document.querySelectorAll("select[data-submit]"))
  choice.addEventListener("change", () => choice.form.requestSubmit());
