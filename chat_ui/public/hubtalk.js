// The page keeps the address of a new conversation at "/chat", so a reload would lose it from view: the server says its id.
window.addEventListener("message", (event) => {
  if (event.source !== window || event.origin !== window.location.origin) return;
  const id = event.data && event.data.hubtalk_thread;
  if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id)) return;
  if (/\/chat\/?$/.test(window.location.pathname)) window.history.replaceState(window.history.state, "", `/chat/thread/${id}`);
});
// A session that ended while the page was open leads to our own sign-in page.
const leaveForSignIn = () => {
  if (window.location.pathname === "/chat/login") window.location.replace("/login");
};
window.addEventListener("popstate", leaveForSignIn);
const pushState = window.history.pushState;
window.history.pushState = function push(...args) {
  pushState.apply(this, args);
  leaveForSignIn();
};

// An address that a client printed was opened: a question about it stands in the box, to be sent or not.
const about = new URLSearchParams(window.location.search).get("about");
if (about && /\/chat\/?$/.test(window.location.pathname)) {
  window.history.replaceState(window.history.state, "", "/chat");
  const asked = fetch(`/chat/question?about=${encodeURIComponent(about)}`).then((answer) => answer.json());
  let stays = 0; // the page may draw the box anew while it loads, and what was in it is gone
  const waiting = setInterval(async () => {
    const { text } = await asked;
    const box = document.getElementById("chat-input");
    if (!text || stays >= 20) return clearInterval(waiting);
    if (!box) return;
    if (box.value ?? box.textContent) {
      stays += 1;
      return;
    }
    stays = 0;
    box.focus();
    document.execCommand("insertText", false, text);
  }, 100);
  for (const act of ["keydown", "pointerdown"]) window.addEventListener(act, () => clearInterval(waiting), { once: true, capture: true });
}
