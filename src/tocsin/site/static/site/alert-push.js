// Asks the browser to show alerts, and tells the portal of it. Nothing happens before the button is pressed.
(() => {
  const form = document.getElementById("push"), off = document.getElementById("off");
  const isOn = document.getElementById("is-on"), notAble = document.getElementById("not-able");
  if (!form) return;
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) {
    notAble.hidden = false;
    return;
  }
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const post = (address, said) =>
    fetch(address, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(said), credentials: "omit"});
  const show = (subscription) => {
    isOn.hidden = off.hidden = !subscription;
    notAble.hidden = true;
  };
  const registered = navigator.serviceWorker.register(form.dataset.worker);
  form.hidden = false;
  registered.then((worker) => worker.pushManager.getSubscription()).then(show).catch(() => { notAble.hidden = false; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      if ((await Notification.requestPermission()) !== "granted") throw new Error("not allowed");
      await registered;
      const worker = await navigator.serviceWorker.ready;
      const subscription = await worker.pushManager.subscribe({userVisibleOnly: true, applicationServerKey: bytes(form.dataset.key)});
      const chosen = new FormData(form);
      const answer = await post(form.dataset.register, {
        subscription: subscription.toJSON(), language: chosen.get("language"), severity: chosen.get("severity"),
        countries: chosen.getAll("country"), offences: chosen.getAll("offence"), types: chosen.getAll("type"),
      });
      if (!answer.ok) {
        await subscription.unsubscribe();
        throw new Error("not taken");
      }
      show(subscription);
    } catch {
      isOn.hidden = true;
      notAble.hidden = false;
    }
  });
  off.addEventListener("click", async () => {
    const subscription = await (await registered).pushManager.getSubscription();
    if (subscription) {
      await post(form.dataset.leave, {endpoint: subscription.endpoint});
      await subscription.unsubscribe();
    }
    show(null);
  });
})();
