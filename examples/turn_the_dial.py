"""See what the dial does to the same questions, before any model is loaded or called.

``route`` decides without generating, so the cloud named here is never asked.
"""

from hybridroute import CloudSettings, HybridClient

QUESTIONS = (
    "What is 2+2?",
    "Who wrote Romeo and Juliet?",
    "Which enzyme unwinds the DNA double helix during replication?",
    "A car goes 60 miles in 1.5 hours, then 30 miles in half an hour. What is its average speed?",
    "If all bloops are razzies and some razzies are lazzies, are some bloops lazzies? Explain.",
)
DIALS = (0.0, 0.25, 0.5, 0.75, 1.0)


def main() -> None:
    cloud = CloudSettings(base_url="http://127.0.0.1:8080/v1", model="large", api_key_env="")
    with HybridClient(cloud=cloud) as client:
        print("score  " + "  ".join(f"{dial:>5g}" for dial in DIALS) + "  question")
        for question in QUESTIONS:
            messages = [{"role": "user", "content": question}]
            made = [client.route(messages, dial=dial) for dial in DIALS]
            score = "    -" if made[0].score is None else f"{made[0].score:.3f}"
            arms = "  ".join(f"{one.arm:>5}" for one in made)
            print(f"{score}  {arms}  {question[:44]}")
        print()
        for dial in DIALS:
            expected = client.expect(dial=dial)
            if expected.cloud_share is None:
                share = "unknown for these models"
            else:
                share = f"{expected.cloud_share:.0%} of queries go to the cloud"
            print(f"dial {dial:<4g} edge if score >= {expected.threshold:.3f}; {share}")
        print(f"\n{client.expect().reason or 'calibrated for these two models'}")


if __name__ == "__main__":
    main()
