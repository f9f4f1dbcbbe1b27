/* The drop zone: files go to the server as they are, with progress, and never through the page's memory. */
(function () {
  "use strict";
  var current = null;   // the request on its way
  var session = null;   // what the last upload became

  function set(id, props) { window.dash_clientside.set_props(id, props); }

  function fail(text) {
    progress(null);
    set("upload-error", { data: { text: text, at: Date.now() } });
  }

  function progress(share) {
    if (share === null) { set("progress", { hidden: true }); return; }
    set("error", { hidden: true });
    set("progress", { hidden: false });
    set("progress-label", { children: "uploading: " + Math.round(100 * share) + " %" });
    set("progress-bar", { style: { width: Math.max(2, 100 * share) + "%" } });
  }

  function send(files, maxMb) {
    var size = 0, form = new FormData();
    for (var i = 0; i < files.length; i++) { size += files[i].size; form.append("files", files[i], files[i].name); }
    if (!files.length) { return; }
    if (size > maxMb * 1e6) {
      fail("the file has " + (size / 1e6).toFixed(1) + " MB, the page takes " + maxMb + " MB; `cleansemg app --max-upload-mb` allows more");
      return;
    }
    if (current) { current.abort(); }
    var request = current = new XMLHttpRequest();
    request.open("POST", "/upload");
    request.setRequestHeader("X-CleanSEMG", "1");
    if (session) { request.setRequestHeader("X-CleanSEMG-Before", session); }
    request.upload.onprogress = function (event) { if (event.lengthComputable) { progress(event.loaded / event.total); } };
    request.onerror = function () { fail("the upload broke off; is `cleansemg app` still running?"); };
    request.onload = function () {
      var answer = null;
      try { answer = JSON.parse(request.responseText); } catch (error) { answer = null; }
      if (request.status === 200 && answer && answer.id) {
        session = answer.id;
        set("session", { data: { id: answer.id, name: answer.name } });
      } else {
        fail(answer && answer.error ? answer.error : "the upload was refused (" + request.status + ": " + request.responseText.slice(0, 200) + ")");
      }
    };
    request.onloadend = function () { if (current === request) { current = null; } };
    progress(0);
    request.send(form);
  }

  function prepare(picker) {
    var drop = document.getElementById("drop");
    var maxMb = Number(picker.getAttribute("data-max-mb"));
    var input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.id = "file";
    input.accept = picker.getAttribute("data-accept");
    picker.appendChild(input);
    input.addEventListener("change", function () { send(input.files, maxMb); input.value = ""; });
    ["dragenter", "dragover"].forEach(function (name) {
      drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.add("over"); });
    });
    ["dragleave", "drop"].forEach(function (name) {
      drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.remove("over"); });
    });
    drop.addEventListener("drop", function (event) { send(event.dataTransfer.files, maxMb); });
    // a file that misses the zone must not replace the page
    ["dragover", "drop"].forEach(function (name) {
      window.addEventListener(name, function (event) { event.preventDefault(); });
    });
  }

  var watch = new MutationObserver(function () {
    var picker = document.getElementById("picker");
    if (picker && !picker.firstChild) { watch.disconnect(); prepare(picker); }
  });
  watch.observe(document.documentElement, { childList: true, subtree: true });
})();
