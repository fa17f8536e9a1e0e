// Says what is wrong with a field while one types; the server says the same when the form is sent.

function tell(field, isDone) {
  const wrong = document.getElementById(`${field.id}-wrong`);
  if (!wrong) return;
  let words = "";
  if (field.validity.patternMismatch) words = field.dataset.rule;
  else if (isDone && field.validity.valueMissing) words = "This is needed.";
  if (wrong.textContent !== words) wrong.textContent = words;
  if (words) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

for (const field of document.querySelectorAll("input[data-rule]")) {
  field.addEventListener("input", () => tell(field, false));
  field.addEventListener("blur", () => tell(field, true));
  field.addEventListener("invalid", (event) => {
    // Said beside the field, where screen readers find it too; the first one is gone to.
    event.preventDefault();
    tell(field, true);
    const first = field.form?.querySelector(":invalid:not(fieldset)");
    if (first === field) field.focus();
  });
}
