// What Sphinx and its theme leave out: a heading's level, and code that can be scrolled by keys.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll('[role="heading"]:not([aria-level])').forEach((heading) => {
    heading.setAttribute("aria-level", "2");
  });
  document.querySelectorAll("pre, .table-wrapper").forEach((region) => {
    region.setAttribute("tabindex", "0");
  });
});
