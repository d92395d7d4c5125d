"""The model card of the Hugging Face hub for a trained model, made from its sweep's record: metadata and text."""

from greenexp.report.model_card.card import model_card
from greenexp.report.model_card.model import CardModel

__all__ = ["CardModel", "model_card"]
