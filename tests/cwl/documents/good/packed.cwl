{"cwlVersion": "v1.2",
 "$graph": [
  {"class": "Workflow", "id": "#main",
   "inputs": [{"id": "#main/message", "type": "string"}, {"id": "#main/list", "type": {"type": "array", "items": "string"}}],
   "outputs": [{"id": "#main/result", "type": "File", "outputSource": "#main/first/said"},
               {"id": "#main/others", "type": {"type": "array", "items": "File"}, "outputSource": "#main/each/said"}],
   "requirements": [{"class": "ScatterFeatureRequirement"}],
   "steps": [
    {"id": "#main/first", "run": "#echo.cwl",
     "in": [{"id": "#main/first/message", "source": "#main/message"}],
     "out": ["#main/first/said"]},
    {"id": "#main/each", "run": "#echo.cwl", "scatter": "#main/each/message",
     "in": [{"id": "#main/each/message", "source": "#main/list"}],
     "out": [{"id": "#main/each/said"}]}]},
  {"class": "CommandLineTool", "id": "#echo.cwl", "baseCommand": "echo", "stdout": "said.txt",
   "inputs": [{"id": "#echo.cwl/message", "type": "string", "inputBinding": {"position": 1}}],
   "outputs": [{"id": "#echo.cwl/said", "type": "stdout"}]}]}
