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
