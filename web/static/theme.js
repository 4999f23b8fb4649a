// Before anything is drawn: dark where it was chosen, or where the device is dark and nothing was chosen.
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const wanted = root.dataset.theme;
    root.dataset.bsTheme = wanted === "auto" ? (dark.matches ? "dark" : "light") : wanted;
  };
  apply();
  dark.addEventListener("change", apply);
  window.correnteTheme = (wanted) => {
    root.dataset.theme = wanted;
    apply();
    document.cookie = `theme=${wanted}; path=/; max-age=31536000; SameSite=Lax`;
  };
})();
