// Memory that connections and streams cost, at both ends (Linux: the kernel says what each process has for itself).
import fs from "node:fs";

const CONNECTIONS = 20;
const STREAMS = 200;

/**
 * What it holds, shared pages by share, in KiB; of a process that is gone, 0. Without pages of files: a process's share of its
 * program's is smaller while others run the same program, by 70 MiB where another Chromium comes and goes.
 */
export function kibibytes(pid) {
  try {
    const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const share = (kind) => Number(new RegExp(`^Pss_${kind}:\\s+(\\d+) kB`, "m").exec(rollup)[1]);
    return share("Anon") + share("Shmem");
  } catch {
    return 0;
  }
}

/** Has garbage collected; thrice, as what goes lets go of more. */
export async function collectGarbage(page) {
  const devtools = await page.createCDPSession();
  for (let i = 0; i < 3; i += 1) await devtools.send("HeapProfiler.collectGarbage");
  await devtools.detach();
}

/** Of the browser's processes of these types, or of all. */
export async function ofProcesses(browser, types) {
  const session = await browser.target().createCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.filter(({ type }) => !types || types.includes(type)).reduce((sum, { id }) => sum + kibibytes(id), 0);
}

/** Of all pages of the browser, once garbage is collected. */
export async function ofPages(browser, page) {
  await collectGarbage(page.tab);
  return ofProcesses(browser, ["renderer"]);
}

/**
 * Answers KiB by connection and by stream, in the browser's pages and in the remote. Each connection is of a peer of
 * its own: libp2p's implementations keep to one with each, or to few.
 */
export async function memory(browser, page, address, pid) {
  const now = async () => ({ page: await ofPages(browser, page), remote: kibibytes(pid) });
  // Whatever is loaded at the first use is no connection's.
  await page.call("dial", address);
  await page.call("hold", 1);
  await page.call("release");
  await page.tab.evaluate(async (count) => {
    window.others = [];
    for (let i = 0; i < count; i += 1) window.others.push(await window.another());
  }, CONNECTIONS);
  const before = await now();
  await page.tab.evaluate(async (address) => {
    for (const each of window.others) await each.dial(address);
  }, address);
  const connected = await now();
  await page.call("hold", STREAMS);
  const streaming = await now();
  const each = (end) => ({
    [`${end}Connection`]: (connected[end] - before[end]) / CONNECTIONS,
    [`${end}Stream`]: (streaming[end] - connected[end]) / STREAMS,
  });
  return { ...each("page"), ...each("remote") };
}

export const MEMORY = {
  id: "memory",
  titles: {
    pageConnection: "memory of a connection in the page, KiB",
    pageStream: "memory of an open stream in the page, KiB",
    remoteConnection: "memory of a connection in the remote, KiB",
    remoteStream: "memory of an open stream in the remote, KiB",
  },
};
