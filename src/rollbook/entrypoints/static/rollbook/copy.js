// Buttons that copy the text of a part of the page. Without this file they stay hidden, and the text can be selected.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.parentElement.hidden = false;
  button.addEventListener("click", async () => {
    const said = document.querySelector("[data-copied]");
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "The browser did not let us copy. Select the text instead.";
      said.classList.remove("vh");
    }
  });
}
