// Makes the document that echoes, as ours makes the host.
const reasons = ["WORKERS"];
void chrome.offscreen.createDocument({ url: "echo.html", reasons, justification: "Echoes what pages say." });
