"""ImagePlanInfo: an image that nobody has written yet."""

visibility(["//bzl/..."])

def _image_plan_info_init(plan, inputs, properties = {}):
    return {"inputs": inputs, "plan": plan, "properties": properties}

ImagePlanInfo, _new_image_plan_info = provider(
    doc = "An image as a plan (docs/formats/plan.md): a small file that says where in the inputs each byte lies.",
    fields = {
        "inputs": "depset of File, in preorder: the plan's inputs. The order of its list is the plan's numbering.",
        "plan": "File: the plan.",
        "properties": "dict of text by text: what whoever takes the image into another one is to know of it; empty if left out.",
    },
    init = _image_plan_info_init,
)
