"""Small conversations for tests of markers."""

import pandas as pd

from clv.contract.tables import Tables

START = pd.Timestamp("2025-03-03 10:00:00")


def tables(engine, conversations, **columns):
    """Hold conversations: lists of (speaker, text) by contact, a minute between turns."""
    contacts, messages = [], []
    for number, (name, turns) in enumerate(conversations.items()):
        began = START + pd.Timedelta(days=number)
        contacts.append(
            {
                "interaction_id": name,
                "customer_id": f"c{number}",
                "agent_id": "a1",
                "channel": "chat",
                "started_at": began,
            }
            | {key: values[number] for key, values in columns.items()}
        )
        messages += [
            {
                "interaction_id": name,
                "position": place,
                "speaker": speaker,
                "text": text,
                "sent_at": began + pd.Timedelta(minutes=place),
            }
            for place, (speaker, text) in enumerate(turns)
        ]
    frames = {"interactions": pd.DataFrame(contacts), "messages": pd.DataFrame(messages)}
    return Tables.from_frames(engine, frames)
