// The picture and the buttons of TilePlayer.  All decisions are made in Python: a button sends its name, and
// whatever the model says afterwards is drawn.

const COLOURS = {
  r: ["red", "#D55E00"],
  g: ["green", "#009E73"],
  m: ["magenta", "#CC79A7"],
  y: ["yellow", "#F0E442"],
  b: ["blue", "#56B4E9"],
};
const FILL = Object.fromEntries(Object.values(COLOURS));
const ARROWS = { U: "↑", R: "→", D: "↓", L: "←" };
const KEYS = {
  ArrowUp: "up",
  ArrowRight: "right",
  ArrowDown: "down",
  ArrowLeft: "left",
  Enter: "exit",
  " ": "exit",
  Backspace: "undo",
  Escape: "reset",
};
const TILE = 44;

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const centre = ([row, column]) => [(column + 0.5) * TILE, (row + 0.5) * TILE];

// Each leg of the path keeps a little to the right of its way, so that going and coming back are seen apart.
function lanes(path) {
  const cells = path.map(centre);
  const right = cells.slice(1).map(([x, y], i) => [-(y - cells[i][1]) * 0.13, (x - cells[i][0]) * 0.13]);
  const points = [];
  cells.forEach(([x, y], i) => {
    const [before, after] = [right[i - 1] ?? right[i], right[i] ?? right[i - 1]];
    const turn = before[0] * after[0] + before[1] * after[1]; // 0 at a corner, negative where the path turns back
    if (turn === 0) points.push([x + before[0] + after[0], y + before[1] + after[1]]);
    else points.push([x + before[0], y + before[1]], [x + after[0], y + after[1]]);
  });
  return points.map((point) => point.join(",")).join(" ");
}

function drawMap(board, rows, path) {
  board.setAttribute("viewBox", `0 0 ${rows[0].length * TILE} ${rows.length * TILE}`);
  board.style.maxWidth = `${rows[0].length * TILE}px`;
  const entered = new Set(path.map(String));
  const parts = [];
  rows.forEach((line, i) =>
    [...line].forEach((letter, j) => {
      const [x, y] = [j * TILE, i * TILE];
      const fill = letter === "#" ? "#5A5A5A" : (COLOURS[letter]?.[1] ?? "#D4D4D4");
      parts.push(svg("rect", { x: x + 1.5, y: y + 1.5, width: TILE - 3, height: TILE - 3, rx: 3, fill }));
      if (letter !== "#" && letter !== ".") {
        const paid = COLOURS[letter] && entered.has(String([i, j]));
        const label = letter.toUpperCase() + (paid ? " ✓" : "");
        parts.push(svg("text", { x: x + 5, y: y + 15, class: "tile-letter" }, label));
      }
    }),
  );
  if (path.length > 1) parts.push(svg("polyline", { points: lanes(path), class: "tile-path" }));
  const [x, y] = centre(path[path.length - 1]);
  parts.push(svg("circle", { cx: x + 4, cy: y + 5, r: TILE * 0.2, class: "tile-agent" }));
  board.replaceChildren(...parts);
  const [row, column] = path[path.length - 1];
  const under = COLOURS[rows[row][column]]?.[0] ?? "grey";
  const label = `Map. You are on a ${under} tile, row ${row + 1}, column ${column + 1}, after ${path.length - 1} steps.`;
  board.setAttribute("aria-label", label);
}

function drawBounds(chart, bounds) {
  const width = 340;
  const [left, right, high, middle] = [150, width - 16, 30, 15];
  const ends = bounds.flatMap((bound) => [bound.lower, bound.upper]).filter((end) => end !== null);
  const low = Math.min(-5, ...ends.map((end) => end - 3));
  const top = Math.max(5, ...ends.map((end) => end + 3));
  const at = (value) => left + ((value - low) / (top - low)) * (right - left);
  const bottom = bounds.length * high;
  const parts = [svg("line", { x1: at(0), x2: at(0), y1: 0, y2: bottom + 4, class: "tile-zero" })];
  bounds.forEach((bound, k) => {
    const y = k * high + middle;
    const [x1, x2] = [at(bound.lower ?? low), at(bound.upper ?? top)];
    parts.push(svg("text", { x: left - 14, y: y + 4, class: "tile-bound" }, bound.text));
    parts.push(svg("line", { x1, x2, y1: y, y2: y, stroke: FILL[bound.colour], "stroke-width": 9 }));
    const points = { lower: [x1, bound.lowerAttained, -1], upper: [x2, bound.upperAttained, 1] };
    for (const [side, [x, attained, ahead]] of Object.entries(points)) {
      if (bound[side] === null)
        parts.push(svg("path", { d: `M${x} ${y - 8}l${9 * ahead} 8l${-9 * ahead} 8z`, class: "tile-end" }));
      else parts.push(svg("circle", { cx: x, cy: y, r: 5, class: attained ? "tile-end" : "tile-end tile-hollow" }));
    }
  });
  for (let value = Math.ceil(low / 5) * 5; value <= top; value += 5)
    parts.push(svg("text", { x: at(value), y: bottom + 16, class: "tile-tick" }, String(value).replace("-", "−")));
  chart.setAttribute("viewBox", `0 0 ${width} ${bottom + 20}`);
  chart.setAttribute("aria-label", bounds.map((bound) => bound.text).join("; "));
  chart.replaceChildren(...parts);
}

function render({ model, el }) {
  const press = (action) => model.send({ action });
  const button = (action, text, label) => {
    const made = node("button", { type: "button", class: `tile-button tile-${action}`, "aria-label": label, title: label }, text);
    made.addEventListener("click", () => press(action));
    return made;
  };

  const board = svg("svg", { class: "tile-board", tabindex: 0, role: "application", "aria-roledescription": "tile puzzle" });
  board.addEventListener("click", () => board.focus());

  const message = node("p", { class: "tile-message", role: "status", "aria-live": "polite" });
  const list = node("ol", { class: "tile-sessions" });
  const chart = svg("svg", { class: "tile-chart", role: "img" });
  const facts = node("p", { class: "tile-facts" });
  const pad = node(
    "div",
    { class: "tile-pad", role: "group", "aria-label": "Moves" },
    button("up", "↑", "Move up"),
    button("left", "←", "Move left"),
    button("down", "↓", "Move down"),
    button("right", "→", "Move right"),
  );
  const others = node(
    "div",
    { class: "tile-others", role: "group", "aria-label": "Session" },
    button("exit", "exit here", "Exit here"),
    button("undo", "undo step", "Undo step"),
    button("reset", "back to start", "Back to start"),
    button("forget", "forget last session", "Forget last session"),
  );
  const keys = node("p", { class: "tile-keys" }, "Keys: arrows walk, Backspace undoes, Escape goes back to start; on the map, Enter or Space exits.");
  const play = node("div", { class: "tile-play" }, board, message, node("div", { class: "tile-controls" }, pad, others), keys);
  const learn = node(
    "div",
    { class: "tile-learn" },
    node("p", { class: "tile-title" }, "Sessions shown as optimal"),
    list,
    node("p", { class: "tile-title" }, "Rewards that make all of them optimal"),
    chart,
    facts,
  );
  // JupyterLab would otherwise take the arrow keys to walk from cell to cell.
  const root = node("div", { class: "tile-player" }, play, learn);
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation(); // else JupyterLab takes the letters for commands: x cuts the cell out
    const action = KEYS[event.key];
    if (!action) return;
    if (action === "exit" && event.target !== board) return; // Enter and Space press the button that has the focus
    event.preventDefault();
    press(action);
  });

  const draw = () => {
    const [rows, path, sessions, bounds] = ["rows", "path", "sessions", "bounds"].map((name) => model.get(name));
    drawMap(board, rows, path);
    message.textContent = model.get("message");
    const items = sessions.map((session) => {
      const arrows = [...session].map((move) => ARROWS[move]).join("");
      return node("li", {}, `${arrows} exit (${session.length} ${session.length === 1 ? "step" : "steps"})`);
    });
    list.replaceChildren(...items);
    learn.classList.toggle("tile-none", bounds.length === 0);
    drawBounds(chart, bounds);
    const lines = model.get("facts");
    facts.textContent = bounds.length === 0 ? "None." : lines.length ? `Exactly: ${lines.join(", ")}.` : "Any reward, so far.";
  };
  model.on("change", draw);
  draw();
  el.append(root);
  return () => model.off("change", draw);
}

export default { render };
