"""ImagePlanInfo: an image that nobody has written yet."""

visibility(["//bzl/..."])

ImagePlanInfo = provider(
    doc = "An image as a plan (docs/formats/plan.md): a small file that says where in the inputs each byte lies.",
    fields = {
        "inputs": "depset of File, in preorder: the plan's inputs. The order of its list is the plan's numbering.",
        "plan": "File: the plan.",
    },
)
