"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data-board").textContent);
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const find = (id) => document.getElementById(id);
  const [track, noise, snr] = ["f-track", "f-noise", "f-snr"].map(find);
  let order = { key: null, sign: 1 };

  // As the page was written: a true minus sign, and none before zero.
  const shown = (value, decimals) => {
    const text = value.toFixed(decimals);
    return text.replace("-", Number(text) === 0 ? "" : "\u2212");
  };

  const fill = (place, value, small) => {
    place.textContent = value;
    if (small) {
      const line = document.createElement("small");
      line.textContent = small;
      place.append(line);
    }
  };

  const cellsNow = () => data.cells[`${snr.value}|${noise.value}`];
  const whole = () => snr.value === "all" && noise.value === "all";

  const sortValue = (index, cells) => {
    const row = data.rows[index];
    const cell = cells[index];
    if (order.key === "label" || order.key === "track") return row[order.key];
    if (order.key === "p") return row.p === "best" ? -1 : row.p;
    if (!cell) return null;
    if (order.key === "n") return cell[0];
    if (order.key === "failed") return cell[1];
    const value = cell[2][Number(order.key)][0];
    const towardsOne = data.metrics[Number(order.key)].better === "one";
    return towardsOne && value !== null ? -Math.abs(value - 1) : value;
  };

  // What has no value comes last, whichever way the rest is sorted.
  const compare = (a, b) => {
    const missing = (value) => value === null || value === undefined || value === "";
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const both = typeof a === "number" && typeof b === "number";
    return order.sign * (both ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  };

  const show = () => {
    const cells = cellsNow();
    let visible = 0;
    let mixtures = 0;
    rows.forEach((line) => {
      const index = Number(line.dataset.row);
      const row = data.rows[index];
      const cell = cells[index];
      line.hidden = track.value !== "all" && row.track !== track.value;
      if (!line.hidden) visible += 1;
      data.metrics.forEach((metric, column) => {
        const [mean, low, high] = cell ? cell[2][column] : [null, null, null];
        const interval = mean === null || low === null ? "" : `${shown(low, metric.decimals)} to ${shown(high, metric.decimals)}`;
        fill(line.cells[2 + column + (column > 0 ? 1 : 0)], mean === null ? "" : shown(mean, metric.decimals), interval);
      });
      const after = 3 + data.metrics.length;
      // the test is over all mixtures, so it says nothing about a part of them
      fill(line.cells[3], whole() ? row.p_shown : "", "");
      fill(line.cells[after], cell ? String(cell[0]) : "not run", "");
      fill(line.cells[after + 1], cell ? String(cell[1]) : "", "");
      if (cell) mixtures = Math.max(mixtures, cell[0]);
    });
    if (order.key !== null) {
      const sorted = rows.map((line) => [sortValue(Number(line.dataset.row), cells), line]);
      sorted.sort((a, b) => compare(a[0], b[0]) || Number(a[1].dataset.row) - Number(b[1].dataset.row));
      body.append(...sorted.map((pair) => pair[1]));
    } else {
      body.append(...rows);
    }
    const name = (select) => select.selectedOptions[0].textContent;
    const sets = new Set(rows.filter((line) => !line.hidden).map((line) => data.rows[Number(line.dataset.row)].set));
    find("board-state").textContent =
      `${name(noise)}, ${name(snr)}, ${name(track)}: ${visible} rows, ${mixtures} mixtures at most; test set: ${[...sets].join(", ")}.`;
  };

  const mark = (head, sign) => {
    head.parentElement.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
    if (head && sign) head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  };

  table.tHead.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => {
      const { key } = button.dataset;
      const metric = data.metrics[Number(key)];
      const first = metric && metric.better !== "lower" ? -1 : 1; // the best comes first
      order = { key, sign: order.key === key ? -order.sign : first };
      mark(button.closest("th"), order.sign);
      show();
    });
  });

  [track, noise, snr].forEach((select) => select.addEventListener("change", show));
  find("f-reset").addEventListener("click", (event) => {
    event.preventDefault();
    [track, noise, snr].forEach((select) => { select.selectedIndex = 0; });
    order = { key: null, sign: 1 };
    table.tHead.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
    show();
  });

  document.querySelectorAll("table.sortable").forEach((one) => {
    const lines = [...one.tBodies[0].rows];
    const value = (line, column) => {
      const cell = line.cells[column];
      return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
    };
    one.tHead.querySelectorAll("button").forEach((button, column) => {
      let sign = -1;
      button.addEventListener("click", () => {
        sign = -sign;
        const sorted = [...lines].sort((a, b) => {
          const [x, y] = [value(a, column), value(b, column)];
          if (x === "" || y === "") return (x === "") - (y === "");
          const both = typeof x === "number" && typeof y === "number";
          return sign * (both ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
        });
        one.tBodies[0].append(...sorted);
        mark(button.closest("th"), sign);
      });
    });
  });

  // Paper cannot be unfolded.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
