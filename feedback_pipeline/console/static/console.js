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
// What the page was made with, whatever was typed or chosen since, perhaps before this script was there.
const given = (field) => field.defaultValue ?? [...field.options].find((one) => one.defaultSelected)?.value ?? field.options[0]?.value;
// An arrow key takes a list from one choice to the next: by keyboard, only Enter or leaving the list chooses.
for (const choice of document.querySelectorAll("select[data-submit]")) {
  const before = given(choice);
  let keyed = choice.matches(":focus-visible");
  const chosen = () => { if (choice.value !== before) choice.form.requestSubmit(); };
  choice.addEventListener("keydown", (event) => { keyed = true; if (event.key === "Enter") chosen(); });
  choice.addEventListener("pointerdown", () => { keyed = false; });
  choice.addEventListener("change", () => { if (!keyed) chosen(); });
  choice.addEventListener("blur", () => { if (keyed) chosen(); });
  if (!keyed) chosen();
}
// The list follows what was typed before htmx listened; it begins to in a task of its own, which stands before this one.
setTimeout(() => {
  for (const form of document.querySelectorAll("form.filters")) {
    const changed = [...form.querySelectorAll("input:not([type=date]), select")].find((field) => field.value !== given(field));
    changed?.dispatchEvent(new Event("input", { bubbles: true }));
  }
});
