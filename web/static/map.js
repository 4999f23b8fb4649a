// Places on a map: <div data-map="ID-of-JSON" data-tiles="address with {z}/{x}/{y}, or empty">. Without tiles only the places are drawn.
"use strict";
(() => {
  const draw = (box) => {
    const places = JSON.parse(document.getElementById(box.dataset.map).textContent);
    const map = L.map(box, { attributionControl: false, scrollWheelZoom: false });
    if (box.dataset.tiles) L.tileLayer(box.dataset.tiles, { maxZoom: 19, referrerPolicy: "origin" }).addTo(map);
    L.control.scale({ imperial: false }).addTo(map);
    const marks = places.map((place) =>
      L.circleMarker([place.latitude, place.longitude], { radius: 9, weight: 3, color: "#0b7285" })
        .bindTooltip(document.createTextNode(place.label).textContent.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`))
        .addTo(map),
    );
    map.fitBounds(L.featureGroup(marks).getBounds().pad(0.3), { maxZoom: 16 });
  };
  document.querySelectorAll("[data-map]").forEach(draw);
})();
