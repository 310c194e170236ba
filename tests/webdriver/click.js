// The place at which an element can be clicked, once there is one: the body of a function of a selector.
const element = document.querySelector(arguments[0]);
if (!element?.checkVisibility()) return null;
element.scrollIntoView({ behavior: 'instant', block: 'nearest', inline: 'nearest' });
const box = element.getBoundingClientRect();
const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
return element.contains(document.elementFromPoint(x, y)) && [x, y];
