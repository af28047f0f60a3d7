cwlVersion: v1.2
class: Operation
intent: [http://example.org/log]
inputs:
  ship.name: string
  speed-knots: {type: [int, float]}
outputs:
  log.entry: string
