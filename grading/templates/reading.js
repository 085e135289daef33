"use strict";
// Fields for points beside each text. What is typed is kept by the browser at once; Save writes it
// as points_read.csv, Load takes such a file in. A row is one reader's word on one text.

const HEAD = ["student", "exercise", "text", "points", "criteria", "comment", "reader", "when"];
const known = JSON.parse(document.getElementById("known").textContent);
const find = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];
const prefix = `lab2/${known.course}/`;
const idOf = row => HEAD.slice(0, 3).concat("reader").map(key => encodeURIComponent(row[key])).join("/");
const articles = all("article");
const rows = new Map();
let reader = "", current = articles[0], keeps = true;

// ── What is kept ───────────────────────────────────────────────────────────────────────────────

function take(row) { // the later of two rows counts
  const old = rows.get(idOf(row));
  if (!old || row.when >= old.when) rows.set(idOf(row), row);
}

function attempt(storing) { // a browser may forbid it, or have no room
  try { storing(localStorage); } catch { keeps = false; }
}

function keep(row) {
  take(row);
  attempt(storage => storage.setItem(prefix + idOf(row), JSON.stringify(rows.get(idOf(row)))));
}

function recall() {
  known.rows.forEach(take);
  attempt(storage => {
    reader = storage.getItem("lab2/reader") || "";
    const keys = Object.keys(storage).filter(key => key.startsWith(prefix));
    keys.forEach(key => take(JSON.parse(storage.getItem(key))));
  });
}

const rowsOf = (student, exercise) =>
  [...rows.values()].filter(row => row.student === student && row.exercise === exercise);
const mine = (student, exercise, text) => { // without a name one goes on with what there is
  const ones = rowsOf(student, exercise).filter(row => row.text === text);
  return ones.find(row => row.reader === reader) || ones.find(row => !row.reader || !reader);
};

// ── Points ─────────────────────────────────────────────────────────────────────────────────────

function wrong(value, most) { // what is wrong with points, "" if nothing
  if (value === "" || (/^\d+(\.\d+)?$/.test(value) && Number(value) <= most)) return "";
  if (/^\d+,\d+$/.test(value)) return `Write ${value.replace(",", ".")}, with a point.`;
  if (/^\d+(\.\d+)?$/.test(value)) return `At most ${most}.`;
  return `A number from 0 to ${most}, please.`;
}

const parts = article => ({
  points: find(".points", article), comment: find("textarea", article),
  boxes: all("input[type=checkbox]", article), ...article.dataset,
});

function typed(article, boxes = false) { // keep what stands in the fields of a text
  const { points, comment, boxes: ticks, student, exercise, text, most } = parts(article);
  const sum = ticks.reduce((total, box) => total + (box.checked ? Number(box.dataset.points) : 0), 0);
  if (boxes) points.value = String(sum);
  const value = points.value.trim(), fault = wrong(value, Number(most));
  const old = mine(student, exercise, text), when = new Date().toISOString();
  if (old && reader && !old.reader) keep({ ...old, points: "", draft: "", comment: "", when }); // gets a name
  keep({
    student, exercise, text, when, reader: reader || (old?.reader ?? ""), points: fault ? "" : value, draft: fault ? value : "", comment: comment.value,
    criteria: ticks.filter(box => box.checked).map(box => box.value).join("+"),
  });
  tell(article);
  progress();
}

function tell(article) { // show how things stand beside the fields of a text
  const { points, student, exercise, text, most } = parts(article);
  const row = mine(student, exercise, text), fault = wrong(points.value.trim(), Number(most));
  const others = rowsOf(student, exercise).filter(one => one !== row && one.points !== "");
  const old = others.filter(one => one.text !== text).pop();
  const also = others.filter(one => one.text === text).map(one => one.reader || "somebody");
  points.classList.toggle("wrong", Boolean(fault));
  find(".fault", article).textContent = fault;
  find(".others", article).textContent = [
    also.length ? `Also read by ${also.join(", ")}.` : "",
    old ? `An earlier text had ${old.points} points${old.comment ? `: ${old.comment}` : "."}` : "",
  ].join(" ");
  article.classList.toggle("read", Boolean(row && row.points !== ""));
}

function fill(article) { // show what is kept of a text
  const { points, comment, boxes, student, exercise, text } = parts(article);
  const row = mine(student, exercise, text) || { points: "", comment: "", criteria: "" };
  points.value = row.points || row.draft || "";
  comment.value = row.comment;
  boxes.forEach(box => { box.checked = row.criteria.split("+").includes(box.value); });
  tell(article);
}

// ── Which texts are shown ──────────────────────────────────────────────────────────────────────

function share() { // "#reader=1/3": every third text, from the first on
  const [, one, of] = /reader=(\d+)\/([1-9]\d*)/.exec(location.hash) || [0, 1, 1];
  return place => place % of === one - 1;
}

function choose() {
  const ours = share(), unread = find("#unread")?.checked;
  articles.forEach((article, place) => {
    const done = article.classList.contains("read") && article !== current;
    article.hidden = !ours(place) || (unread && done);
  });
  if (current?.hidden) current = articles.find(article => !article.hidden);
  all("a.carry").forEach(link => { link.hash = location.hash; });
  progress();
}

function progress() {
  const ours = share();
  for (const place of all("[data-progress]")) {
    const name = place.dataset.progress, texts = known.texts[name].filter((_, i) => ours(i));
    const done = texts.filter(([student, text]) => (mine(student, name, text) || {}).points).length;
    find("progress", place).max = texts.length || 1;
    find("progress", place).value = done;
    find("output", place).textContent = `${done} of ${texts.length} read`;
  }
  find("#warning").hidden = keeps;
}

function move(to) {
  current?.classList.remove("current");
  current = to;
  current?.classList.add("current");
}

function step(by) {
  const shown = articles.filter(article => !article.hidden);
  const to = shown[shown.indexOf(current) + by];
  if (!to) return;
  move(to);
  to.scrollIntoView({ block: "start" });
  find(".points", to).focus({ preventScroll: true });
}

document.addEventListener("keydown", event => {
  const { key, target } = event, inPoints = target.matches(".points");
  if (event.ctrlKey || event.metaKey || event.altKey || !current) return;
  if (key === "Escape") target.blur();
  if (target.matches("textarea, input:not(.points, [type=checkbox])")) return;
  const points = find(".points", current);
  if (key === "j" || key === "k" || (key === "Enter" && inPoints)) step(key === "k" ? -1 : 1);
  else if (key === "c") find("textarea", current).focus();
  else if (/^\d$/.test(key) && !inPoints) { points.value = key; points.focus(); typed(current); }
  else return;
  event.preventDefault();
});

// ── The file ───────────────────────────────────────────────────────────────────────────────────

function save() {
  const ready = [...rows.values()].filter(row => row.points !== "" || row.comment);
  const cell = value => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const lines = [HEAD.join(","), ...ready.map(row => HEAD.map(key => cell(row[key])).join(","))];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = "points_read.csv";
  link.click();
  const left = [...rows.values()].filter(row => row.draft).length;
  find("#said").textContent = `${ready.length} rows saved.` +
    (left ? ` ${left} with points that are none: not in the file.` : "");
}

function cellsOf(text) { // CSV: cells with or without quotes
  const lines = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    lines.at(-1).push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end !== ",") lines.push([]);
  }
  return lines.filter(line => line.length > 1);
}

function load(text) {
  const [head, ...lines] = cellsOf(text.replace(/^\ufeff/, ""));
  if (!head || head.join() !== HEAD.join()) return "This is no points_read.csv: its first line differs.";
  const faults = lines.filter(line => {
    const row = Object.fromEntries(HEAD.map((key, i) => [key, line[i]]));
    const bad = line.length !== HEAD.length || wrong(row.points, known.most[row.exercise] ?? Infinity);
    if (!bad) keep(row);
    return bad;
  });
  articles.forEach(fill);
  const said = faults.map(line => `${line[1]} of ${line[0]}: ${line[3]} points`).join("; ");
  return `${lines.length - faults.length} rows loaded.` + (said ? ` Not taken: ${said}.` : "");
}

// ── From here on ───────────────────────────────────────────────────────────────────────────────

recall();
find("#reader").value = reader;
find("#reader").addEventListener("change", event => {
  reader = event.target.value.trim();
  attempt(storage => storage.setItem("lab2/reader", reader));
  articles.forEach(fill);
  choose();
});
find("#save").addEventListener("click", save);
find("#load").addEventListener("change", async event => {
  const [file] = event.target.files;
  if (file) find("#said").textContent = load(await file.text());
  event.target.value = "";
  choose();
});
find("#names")?.addEventListener("change", event => {
  document.body.classList.toggle("names", event.target.checked);
});
find("#unread")?.addEventListener("change", choose);
for (const article of articles) {
  fill(article);
  article.addEventListener("focusin", () => move(article));
  article.addEventListener("input", event => typed(article, event.target.type === "checkbox"));
}
window.addEventListener("hashchange", choose);
window.addEventListener("beforeunload", event => { if (!keeps) event.preventDefault(); });
move(current);
choose();
