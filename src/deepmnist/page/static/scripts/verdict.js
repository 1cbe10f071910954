// rejection.py in the browser: how sure an answer is, whether it is accepted, and else why not.

const UNSURE = 0.05; // a second class as probable as this is named
const NO_DIGIT = 0.5; // less probably one digit than this, that is what is wrong

/**
 * What is made of the probabilities of the classes, if this is one digit, and of `single`, that it
 * is one: {label, probability, confidence, accepted, reason}. `nothing`: no ink was found.
 */
export function judged(probabilities, single, nothing, model) {
  const whole = nothing ? 0 : single;
  const best = probabilities.indexOf(Math.max(...probabilities));
  const confidence = whole * probabilities[best];
  const accepted = confidence >= model.threshold;
  return {
    label: model.class_names[best],
    probability: probabilities[best],
    confidence,
    accepted,
    reason: accepted ? null : reason(probabilities, whole, model.class_names),
  };
}

function reason(probabilities, single, names) {
  if (single === 0) return "nothing in the picture";
  const order = [...probabilities.keys()].sort((one, other) => probabilities[one] - probabilities[other]);
  const [second, first] = order.slice(-2);
  if (single >= NO_DIGIT && probabilities[second] >= UNSURE) {
    return `unsure between ${names[first]} and ${names[second]}`;
  }
  return "not a digit, perhaps";
}
