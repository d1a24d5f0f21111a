"""Splink over a list of leads: looks single leads up, or compares all with each other. One line of JSON an answer."""

import json
import sys
import time

import duckdb
import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

task, path = sys.argv[1:3]
leads = pd.read_csv(path, dtype=str).fillna("")
for column in ["company", "contact", "mobile", "email", "city"]:
    leads[column] = leads[column].where(leads[column] != "", None)


def trained():
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("mobile"),
            block_on("email"),
            block_on("contact", "city"),
            block_on("company"),
        ],
        comparisons=[
            cl.JaroWinklerAtThresholds("company", [0.92, 0.8]),
            cl.JaroWinklerAtThresholds("contact", [0.92]),
            cl.LevenshteinAtThresholds("mobile", [1]),
            cl.ExactMatch("email"),
            cl.ExactMatch("city"),
        ],
    )
    linker = Linker(leads, settings, DuckDBAPI(duckdb.connect()), set_up_basic_logging=False)
    linker.training.estimate_probability_two_random_records_match([block_on("mobile")], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("mobile"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("contact", "city"))
    return linker


def answer(value):
    print(json.dumps(value), flush=True)


linker = trained() if task == "one" else None
if linker is not None:
    linker.inference.predict(threshold_match_probability=0.85)
answer({"ready": True})
for line in sys.stdin:
    if task == "one":
        times, end = [], time.perf_counter() + float(line)
        while not times or time.perf_counter() < end:
            lead = leads.iloc[(len(times) * 7919) % len(leads)].to_dict()
            lead["unique_id"] = "new"
            started = time.perf_counter()
            linker.inference.find_matches_to_new_records([lead], match_weight_threshold=2).as_record_dict()
            times.append(time.perf_counter() - started)
        answer({"seconds": times})
    else:
        before = time.process_time()
        pairs = trained().inference.predict(threshold_match_probability=0.85).as_pandas_dataframe()
        answer({"cpu_seconds": time.process_time() - before, "pairs": len(pairs)})
