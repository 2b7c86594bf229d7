// What the programs of this folder have in common, as told.py says it.

/** Makes the calls, with a function for each thing that a call may do, and prints what its user sees. */
export async function tell(does) {
  const told = {};
  for (const { name, does: what, model, key, other } of JSON.parse(process.argv[2])) {
    try {
      told[name] = { saw: await does[what](model, key, other) };
    } catch (error) {
      told[name] = { class: error.constructor.name, message: String(error.message) };
    }
  }
  console.log(JSON.stringify(told));
}
