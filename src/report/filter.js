// A text filter over long tables. The page is complete without it.
for (const figure of document.querySelectorAll(".table")) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  if (rows.length < 12) continue;
  const box = document.createElement("input");
  box.type = "search";
  box.placeholder = "Filter rows";
  box.setAttribute("aria-label", "Filter rows of: " + figure.getAttribute("aria-label"));
  box.addEventListener("input", () => {
    const wanted = box.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  figure.before(box);
}
