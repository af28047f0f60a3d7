# Takes pictures on the host of the camera, and makes a thumbnail of each on a host that has the job type for that.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}

inputs:
  count: int
  width: int

outputs:
  thumbnails: {type: "File[]", outputSource: thumbnail/small}

steps:
  shoot:
    in: {count: count}
    out: [pictures]
    run:
      class: Operation
      inputs: {count: int}
      outputs: {pictures: "File[]"}
      hints: {caroni:JobType: {name: shoot}}

  thumbnail:
    scatter: picture
    in: {picture: shoot/pictures, width: width}
    out: [small]
    run:
      class: Operation
      inputs: {picture: File, width: int}
      outputs: {small: File}
      hints: {caroni:JobType: {name: thumbnail}}
