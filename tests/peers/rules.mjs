// Evaluates the rules of the bench in another engine. Reads one JSON object a line: first {engine, rules, leads}, answered
// by {matches}, how many rules hold over all leads; then {milliseconds}, answered by {evaluations, seconds}.
import { createInterface } from 'node:readline';

const engines = {
  async zen(rules) {
    const { ZenEngine } = await import('@gorules/zen-engine');
    const expressions = rules.map((rule, number) => ({ id: `e${number}`, key: `r${number}`, value: zenText(rule) }));
    const at = { position: { x: 0, y: 0 } };
    const graph = {
      nodes: [
        { id: 'in', type: 'inputNode', name: 'in', ...at },
        { id: 'rules', type: 'expressionNode', name: 'rules', content: { expressions }, ...at },
        { id: 'out', type: 'outputNode', name: 'out', ...at },
      ],
      edges: [
        { id: 'a', type: 'edge', sourceId: 'in', targetId: 'rules' },
        { id: 'b', type: 'edge', sourceId: 'rules', targetId: 'out' },
      ],
    };
    const decision = new ZenEngine().createDecision(Buffer.from(JSON.stringify(graph)));
    return async (lead) => Object.values((await decision.evaluate(lead)).result).filter((held) => held === true).length;
  },

  async json(rules) {
    const { Engine } = await import('json-rules-engine');
    const engine = new Engine();
    engine.addOperator('contains_text', (text, part) => text.includes(part));
    rules.forEach((rule, number) => {
      const conditions = jsonCondition(rule);
      engine.addRule({
        conditions: conditions.all || conditions.any ? conditions : { all: [conditions] },
        event: { type: `r${number}` },
      });
    });
    return async (lead) => (await engine.run(lead)).events.length;
  },
};

function zenText(rule) {
  if (rule.all) return `(${rule.all.map(zenText).join(' and ')})`;
  if (rule.any) return `(${rule.any.map(zenText).join(' or ')})`;
  const value = JSON.stringify(rule.value);
  switch (rule.test) {
    case 'contains': return `contains(${rule.field}, ${value})`;
    case 'is': return `${rule.field} == ${value}`;
    case 'one_of': return `${rule.field} in ${value}`;
    case 'at_least': return `${rule.field} >= ${value}`;
    case 'below': return `${rule.field} < ${value}`;
  }
  throw new Error(`unknown test ${rule.test}`);
}

function jsonCondition(rule) {
  if (rule.all) return { all: rule.all.map(jsonCondition) };
  if (rule.any) return { any: rule.any.map(jsonCondition) };
  const operator = {
    contains: 'contains_text', is: 'equal', one_of: 'in', at_least: 'greaterThanInclusive', below: 'lessThan',
  }[rule.test];
  return { fact: rule.field, operator, value: rule.value };
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const answer = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);

const { engine, rules, leads } = JSON.parse((await lines.next()).value);
const evaluate = await engines[engine](rules);
let matches = 0;
for (const lead of leads) matches += await evaluate(lead);
answer({ matches });

for await (const line of lines) {
  const span = JSON.parse(line).milliseconds;
  const start = performance.now();
  let rounds = 0;
  while (performance.now() - start < span) {
    await evaluate(leads[rounds % leads.length]);
    rounds += 1;
  }
  answer({ evaluations: rounds * rules.length, seconds: (performance.now() - start) / 1000 });
}
