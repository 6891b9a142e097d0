// The quiz: which mistake gave these numbers?

/** Ask which mistake gave some numbers; where several give the same, each of them is right. */
function startQuiz() {
  const choices = every(".quiz input"), score = { asked: 0, known: 0 };
  if (!choices.length) return;
  let asked = null;
  const ask = () => {
    const others = choices.filter(choice => choice !== asked);
    asked = others[Math.floor(Math.random() * others.length)];
    for (const choice of choices) Object.assign(choice, { checked: false, disabled: false });
    byId("question").textContent = asked.dataset.numbers;
    byId("verdict").textContent = "";
  };
  document.querySelector(".quiz").addEventListener("change", ({ target }) => {
    const known = target.dataset.numbers === asked.dataset.numbers;
    for (const choice of choices) choice.disabled = true;
    score.asked += 1;
    score.known += known;
    const name = asked.parentElement.textContent.trim();
    byId("verdict").textContent = `${known ? "Yes" : "No: it is"} “${name}”. ${asked.dataset.said} To mend it: ${asked.dataset.fix}. (${score.known} of ${score.asked})`;
  });
  byId("another").addEventListener("click", ask);
  ask();
}
