// The picture and the buttons of Labeller.  All decisions are made in Python: a button sends its name and the picture
// that it was pressed for, and whatever the model says afterwards is drawn.

const KEYS = { " ": "skip", Backspace: "undo" };

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// The name of a key in the list of choices: letters are small, and Shift counts with keys such as the arrows.
function keyName(event) {
  if (event.key.length === 1) return event.key.toLowerCase();
  return (event.shiftKey ? "Shift+" : "") + event.key;
}

function render({ model, el }) {
  const press = (action) => {
    if (action === "undo" || !model.get("done")) model.send({ action, seen: model.get("position") });
  };
  const button = (action, text, sign, kind = "") => {
    const hint = node("span", { class: "labeller-sign", "aria-hidden": "true" }, sign);
    const made = node("button", { type: "button", class: `labeller-button ${kind}` }, text, hint);
    made.addEventListener("click", () => press(action));
    return made;
  };

  const choices = model.get("choices").map(({ key, label, sign }) => {
    const made = button(label, label, sign, "labeller-choice");
    made.setAttribute("aria-keyshortcuts", key);
    return made;
  });
  const others = [button("undo", "undo", "Backspace"), button("skip", "skip", "Space")];
  if (model.get("early")) others.push(button("finish", model.get("early"), "", "labeller-early"));

  const image = node("img", { class: "labeller-image", draggable: "false" });
  const frame = node("div", { class: "labeller-picture", tabindex: 0, role: "application", "aria-roledescription": "picture to answer" }, image);
  frame.addEventListener("click", () => frame.focus());
  const bar = node("progress", { class: "labeller-bar", "aria-hidden": "true" });
  const count = node("span", { class: "labeller-count" });
  const message = node("span", { class: "labeller-message" });
  const heard = node("span", { class: "labeller-heard" }); // for screen readers: which picture is next, and what is on it
  const question = node("p", { class: "labeller-question" });
  const root = node(
    "div",
    { class: "labeller", role: "group" },
    node("div", { class: "labeller-head" }, question, node("p", { class: "labeller-progress" }, count, bar)),
    frame,
    node("div", { class: "labeller-choices", role: "group", "aria-label": "Answers" }, ...choices),
    node("div", { class: "labeller-others", role: "group", "aria-label": "Queue" }, ...others),
    node("p", { class: "labeller-status", role: "status", "aria-live": "polite", "aria-atomic": "true" }, message, heard),
  );
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation(); // JupyterLab would walk from cell to cell, and x, a slip, would cut the cell out
    const chosen = model.get("choices").find(({ key }) => key === keyName(event));
    const action = chosen?.label ?? KEYS[event.key];
    if (!action) return;
    if (action === "skip" && event.target !== frame) return; // Space presses the button that has the focus
    event.preventDefault();
    if (!event.repeat) press(action); // a key held down answers one picture, not all
  });

  let [shown, address] = [null, null];
  const draw = () => {
    const [picture, alt, progress, done] = ["picture", "alt", "progress", "done"].map((name) => model.get(name));
    if (picture !== shown) {
      if (address) URL.revokeObjectURL(address);
      [shown, address] = [picture, URL.createObjectURL(new Blob([picture], { type: "image/png" }))];
      image.src = address;
    }
    image.alt = alt;
    question.textContent = model.get("question");
    root.setAttribute("aria-label", model.get("question"));
    frame.setAttribute("aria-label", `${model.get("question")} ${progress}`);
    count.textContent = progress;
    message.textContent = model.get("message");
    heard.textContent = done ? ` ${progress}.` : ` ${progress}: ${alt}`;
    const [, reached, all] = model.get("position");
    bar.max = all;
    bar.value = reached;
    root.classList.toggle("labeller-done", done);
    // Not `disabled`, which would take the focus away: the next queue goes on where the reader's finger is.
    for (const made of [...choices, ...others.slice(1)]) made.setAttribute("aria-disabled", String(done));
  };
  model.on("change", draw);
  draw();
  el.append(root);
  return () => {
    model.off("change", draw);
    URL.revokeObjectURL(address);
  };
}

export default { render };
