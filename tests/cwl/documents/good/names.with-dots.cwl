cwlVersion: v1.2
class: Workflow
inputs: {ship.name: string, speed-knots: int, "2nd": Any?}
outputs: {log.entry: {type: string, outputSource: log-it.now/log.entry}}
steps:
  log-it.now:
    in: {ship.name: ship.name, speed-knots: speed-knots}
    out: [log.entry]
    run: tools/ship-log.v2.cwl
