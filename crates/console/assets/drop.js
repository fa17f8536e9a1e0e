// A file may be dropped anywhere on its field; one that is too large is told before it is sent.

// A file that misses the field would be opened in place of the page.
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
}

for (const field of document.querySelectorAll("[data-drop]")) {
  const input = field.querySelector("input[type=file]");
  field.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    field.classList.add("over");
  });
  field.addEventListener("dragleave", () => field.classList.remove("over"));
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    field.classList.remove("over");
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
    input.focus();
  });
  input.addEventListener("change", () => {
    const file = input.files[0];
    const isLarge = file && file.size > Number(input.dataset.most);
    const words = isLarge ? "This file is too large to be checked here." : "";
    input.setCustomValidity(words);
    field.querySelector(".wrong").textContent = words;
  });
}
