// Sets the chosen theme before the first paint, so that a dark page never
// flashes white. A file of its own because the page's policy allows no inline
// script; it must stay small, it blocks the first paint.
try {
  var prefs = JSON.parse(localStorage.getItem("skein.web.prefs") || "{}");
  if (prefs.theme === "dark" || prefs.theme === "light") {
    document.documentElement.dataset.theme = prefs.theme;
  }
} catch (e) {
  // Storage is off: the system's colours are used.
}
