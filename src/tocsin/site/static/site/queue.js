// Lists of things to decide: tick all, tick a range, one role for all, and the keyboard. Without it the form works too.
for (const queue of document.querySelectorAll("[data-queue]")) {
  const boxes = [...queue.querySelectorAll(".ticks input[type=checkbox]")];
  const all = queue.querySelector("[data-tick-all]");
  const role = queue.querySelector("[data-role-all]");
  let last = -1;

  const show = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    if (all) { all.checked = ticked === boxes.length; all.indeterminate = ticked > 0 && ticked < boxes.length; }
  };
  const toggled = (place, withShift) => {
    if (withShift && last >= 0) {
      const [from, to] = last < place ? [last, place] : [place, last];
      for (const box of boxes.slice(from, to + 1)) box.checked = boxes[place].checked;
    }
    last = place;
    show();
  };

  all?.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; show(); });
  role?.addEventListener("change", () => {
    for (const box of boxes) {
      const own = box.checked && box.closest("li").querySelector("select");
      if (own) own.value = role.value;
    }
  });
  boxes.forEach((box, place) => box.addEventListener("click", (event) => toggled(place, event.shiftKey)));
  // Letters count only while something in the list has the focus, so that they disturb nobody's reading aloud.
  queue.addEventListener("keydown", (event) => {
    const item = event.target.closest(".ticks > li");
    if (!item || event.target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = boxes.indexOf(item.querySelector("input[type=checkbox]"));
    const key = event.key.toLowerCase();
    if (key === "j") boxes[Math.min(place + 1, boxes.length - 1)].focus();
    else if (key === "k") boxes[Math.max(place - 1, 0)].focus();
    else if (key === "x") { boxes[place].checked = !boxes[place].checked; toggled(place, event.shiftKey); }
    else return;
    event.preventDefault();
  });
  show();
}
