// MLflow previews this page in a frame that follows no link: within the page this script does, and it says so of the others.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const place = link && document.getElementById(link.getAttribute("href").slice(1));
  if (!place) return;
  for (const fold of document.querySelectorAll("details")) if (fold.contains(place)) fold.open = true;
  document.querySelectorAll(".found").forEach((row) => row.classList.remove("found"));
  if (place.matches("tr")) place.classList.add("found");
  place.scrollIntoView({ block: place.matches("tr") ? "center" : "start" });
  if (self === top) return;
  event.preventDefault();
});
if (self !== top) document.querySelectorAll(".framed").forEach((note) => { note.hidden = false; });
