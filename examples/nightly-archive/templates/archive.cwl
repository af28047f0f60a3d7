# Packs a folder of one host, and keeps the archive on another one.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}

inputs:
  night: string?

outputs:
  kept: {type: string, outputSource: keep/kept}

steps:
  pack:
    in: {night: night}
    out: [archive, checksums]
    run:
      class: Operation
      inputs: {night: string?}
      outputs: {archive: File, checksums: File}
      hints: {caroni:JobType: {name: pack}}

  keep:
    in: {archive: pack/archive, checksums: pack/checksums}
    out: [kept]
    run:
      class: Operation
      inputs: {archive: File, checksums: File}
      outputs: {kept: string}
      hints: {caroni:JobType: {name: keep}}
