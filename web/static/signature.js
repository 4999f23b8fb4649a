// A signature drawn on a canvas: <canvas data-signature="ID of the hidden field">; a button with data-signature-clear empties it.
"use strict";
(() => {
  document.querySelectorAll("canvas[data-signature]").forEach((canvas) => {
    const field = document.getElementById(canvas.dataset.signature);
    const pen = canvas.getContext("2d");
    const empty = () => {
      const { width, height } = canvas.getBoundingClientRect();
      [canvas.width, canvas.height] = [Math.round(width), Math.round(height)];
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      [pen.lineWidth, pen.lineCap, pen.lineJoin, pen.strokeStyle] = [2.4, "round", "round", "#10243e"];
      field.value = "";
    };
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let drawing = false;
    canvas.addEventListener("pointerdown", (event) => {
      drawing = true;
      canvas.setPointerCapture(event.pointerId);
      pen.beginPath();
      pen.moveTo(...at(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drawing) return;
      pen.lineTo(...at(event));
      pen.stroke();
    });
    const over = () => {
      if (drawing) field.value = canvas.toDataURL("image/png");
      drawing = false;
    };
    canvas.addEventListener("pointerup", over);
    canvas.addEventListener("pointercancel", over);
    document.querySelectorAll("[data-signature-clear]").forEach((button) => button.addEventListener("click", empty));
    empty();
  });
})();
