"use strict";
// Fields for points beside each text. What is typed is kept by the browser at once; Save writes it
// as points_read.csv, Load takes such a file in. A row is what one reader gave one text.

const HEAD = ["student", "exercise", "text", "points", "criteria", "comment", "reader", "when"];
const FORMULA = /^'*[=+\-@\t\r]/; // what a spreadsheet takes for one, guarded or not: grading/graded.py
const find = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];
const known = JSON.parse(find("#known").textContent);
const prefix = `lab2/${known.course}/`;
const idOf = row => ["student", "exercise", "text", "reader"].map(key => encodeURIComponent(row[key])).join("/");
const articles = all("article"), rows = new Map();
let reader = "", current = articles[0], keeps = true;

// What is kept
function take(row) { // of two rows the later one counts
  const old = rows.get(idOf(row));
  if (!old || row.when >= old.when) rows.set(idOf(row), row);
}
function attempt(storing) { // which a browser may forbid, or have no room for
  try { storing(localStorage); } catch { keeps = false; }
}
function keep(row) {
  take(row);
  attempt(storage => storage.setItem(prefix + idOf(row), JSON.stringify(rows.get(idOf(row)))));
}

function recall() { // what is known from the file, and what this browser has kept, in any tab
  known.rows.forEach(take);
  attempt(storage => {
    reader = storage.getItem("lab2/reader") || "";
    const keys = Object.keys(storage).filter(key => key.startsWith(prefix));
    keys.forEach(key => take(JSON.parse(storage.getItem(key))));
  });
}
const rowsOf = ({ student, exercise }) =>
  [...rows.values()].filter(row => row.student === student && row.exercise === exercise);
function mine(place) { // who gives no name goes on with what there is
  const ones = rowsOf(place).filter(row => row.text === place.text);
  return ones.find(row => row.reader === reader) || ones.find(row => !row.reader || !reader);
}
function differing(place) { // other points of the same text, for who has given points of their own
  const own = mine(place), settled = known.settled.some(([student, exercise]) =>
    student === place.student && exercise === place.exercise);
  return !own?.points || settled ? [] : rowsOf(place).filter(row => row !== own &&
    row.text === place.text && row.points !== "" && Number(row.points) !== Number(own.points));
}
// Points
function wrong(value, most) { // what is wrong with points; "" if nothing
  if (value === "") return "";
  if (/^\d+,\d+$/.test(value)) return `Write ${value.replace(",", ".")}, with a point.`;
  if (!/^\d+(\.\d+)?$/.test(value)) return `A number from 0 to ${most}, please.`;
  return Number(value) > most ? `At most ${most}.` : "";
}
const fieldsOf = article =>
  [find(".points", article), find("textarea", article), all("input[type=checkbox]", article)];

function typed(article, box) { // keep what stands in the fields of a text; box: that was ticked
  const [points, comment, boxes] = fieldsOf(article);
  if (box.type === "checkbox") { // the sum of the boxes, unless other points were written
    const sum = boxes.reduce((total, one) => total + (one.checked ? Number(one.dataset.points) : 0), 0);
    const before = sum - (box.checked ? 1 : -1) * Number(box.dataset.points);
    if (points.value === "" || Number(points.value) === before) points.value = String(sum);
  }
  const { student, exercise, text, most } = article.dataset, old = mine(article.dataset);
  const value = points.value.trim(), fault = wrong(value, Number(most)), when = new Date().toISOString();
  if (old && reader && !old.reader) keep({ ...old, points: "", draft: "", comment: "", when }); // has a name now
  keep({
    student, exercise, text, when, reader: reader || old?.reader || "", comment: comment.value,
    points: fault ? "" : value, draft: fault ? value : "",
    criteria: boxes.filter(one => one.checked).map(one => one.value).join("+"),
  });
  tell(article);
  progress();
}
function tell(article) { // say beside the fields of a text how things stand
  const [points] = fieldsOf(article), row = mine(article.dataset);
  const others = rowsOf(article.dataset).filter(one => one !== row && one.points !== "");
  const old = others.filter(one => one.text !== article.dataset.text).pop();
  const differ = differing(article.dataset), nameOf = one => one.reader || "somebody";
  const also = others.filter(one => one.text === article.dataset.text && !differ.includes(one)).map(nameOf);
  const fault = wrong(points.value.trim(), Number(article.dataset.most));
  points.classList.toggle("wrong", fault !== "");
  find(".fault", article).textContent = fault;
  find(".others", article).textContent =
    differ.map(one => `${nameOf(one)} gave ${one.points}. `).join("") + (also.length ? `Also read by ${also.join(", ")}. ` : "") +
    (old ? `An earlier text had ${old.points} points. ${old.comment}` : "");
  article.classList.toggle("read", Boolean(row?.points) && !differ.length);
  article.classList.toggle("differ", differ.length > 0);
}
function fill(article) { // show what is kept of a text
  const [points, comment, boxes] = fieldsOf(article);
  const row = mine(article.dataset) || { points: "", comment: "", criteria: "" };
  points.value = row.points || row.draft || "";
  comment.value = row.comment;
  boxes.forEach(box => { box.checked = row.criteria.split("+").includes(box.value); });
  tell(article);
}

// Which texts are shown
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
  if (current?.hidden) move(articles.find(article => !article.hidden));
  all("a.carry").forEach(link => { link.hash = location.hash; });
  progress();
}
function progress() {
  const ours = share();
  for (const place of all("[data-progress]")) {
    const exercise = place.dataset.progress, texts = known.texts[exercise].filter((_, i) => ours(i));
    const done = texts.map(([student, text]) => ({ student, exercise, text }))
      .filter(one => mine(one)?.points && !differing(one).length).length;
    Object.assign(find("progress", place), { max: texts.length || 1, value: done });
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
  const shown = articles.filter(article => !article.hidden), to = shown[shown.indexOf(current) + by];
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
  const [points, comment] = fieldsOf(current);
  if (key === "j" || key === "k" || (key === "Enter" && inPoints)) step(key === "k" ? -1 : 1);
  else if (key === "c") comment.focus();
  else if (/^\d$/.test(key) && !inPoints) { points.value = key; points.focus(); typed(current, points); }
  else return;
  event.preventDefault();
});

// The file
function save() {
  recall();
  const ready = [...rows.values()].filter(row => row.points !== "" || row.comment);
  const guarded = value => FORMULA.test(value) ? `'${value}` : value;
  const cell = value => `"${guarded(value).replaceAll('"', '""')}"`;
  const lines = [HEAD.join(","), ...ready.map(row => HEAD.map(key => cell(row[key])).join(","))];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  link.download = "points_read.csv";
  link.click();
  const left = [...rows.values()].filter(row => row.draft).length;
  return `${ready.length} rows saved.` + (left ? ` ${left} have no points: look for red fields.` : "");
}
function cellsOf(text) {
  const lines = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    lines.at(-1).push(quoted?.replaceAll('""', '"') ?? bare);
    if (end !== ",") lines.push([]);
  }
  return lines.filter(line => line.length > 1);
}
function load(text) {
  const [head, ...lines] = cellsOf(text.replace(/^\ufeff/, "")), bad = [];
  if (head?.join() !== HEAD.join()) return "This is no points_read.csv: its first line differs.";
  for (const line of lines) {
    const unguarded = cell => cell[0] === "'" && FORMULA.test(cell) ? cell.slice(1) : cell;
    const row = Object.fromEntries(HEAD.map((key, i) => [key, unguarded(line[i] ?? "")]));
    const fault = wrong(row.points, known.most[row.exercise] ?? Infinity);
    if (fault) bad.push(`${row.exercise} of ${row.student}: ${row.points}`); else keep(row);
  }
  articles.forEach(fill);
  return bad.length ? `Loaded, but for ${bad.join("; ")}.` : "Loaded.";
}

// From here on
recall();
find("#reader").value = reader;
find("#reader").addEventListener("change", event => {
  reader = event.target.value.trim();
  attempt(storage => storage.setItem("lab2/reader", reader));
  articles.forEach(fill);
  choose();
});
find("#save").addEventListener("click", () => { find("#said").textContent = save(); });
find("#load").addEventListener("change", async ({ target }) => {
  if (target.files.length) find("#said").textContent = load(await target.files[0].text());
  target.value = "";
  choose();
});
find("#names")?.addEventListener("change", event => document.body.classList.toggle("names", event.target.checked));
find("#unread")?.addEventListener("change", choose);
articles.forEach((article, place) => { // an attribute of HTML holds less than JSON does
  [article.dataset.student, article.dataset.text] = known.texts[article.dataset.exercise][place];
  fill(article);
  article.addEventListener("focusin", () => move(article));
  article.addEventListener("input", event => typed(article, event.target));
});
addEventListener("hashchange", choose);
addEventListener("beforeunload", event => { if (!keeps) event.preventDefault(); });
move(current);
choose();
