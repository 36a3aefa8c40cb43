"""`dgqc compare`: many ways to quantize one model, side by side on the same inputs.

candidates   what is compared: names of presets, and the passes behind them
workload     what it is compared on: a model, recorded calls, prompts, a judge of pictures
execution    how a candidate runs: as integers, or as the simulation of its plan
trajectory   signal to noise, call by call
drawing      pictures, by the unmodified pipeline around a candidate
judges       what pictures are worth: the demo model's own judge, or CLIP and Inception
store        everything measured, by the hash of what it was measured on
row, run     one candidate's figures; all of them
output       CSV, JSON, Markdown; plots
"""

from .candidates import Candidate, candidate, candidates
from .row import Row
from .run import compare
from .workload import Workload

__all__ = ["Candidate", "Row", "Workload", "candidate", "candidates", "compare"]
